// Starts the trainer beside this file.
importScripts("./trainer.js");
wasm_bindgen({ module_or_path: "./trainer_bg.wasm" });
