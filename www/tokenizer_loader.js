// Starts the tokenizer beside this file.
importScripts("./tokenizer.js");
wasm_bindgen({ module_or_path: "./tokenizer_bg.wasm" });
