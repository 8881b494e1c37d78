# Every target does its own set-up and may be run again. For make 3.81 and later.
.PHONY: help demo test test-gpu lint bench-peers

help:
	@echo "make demo         build, and run the main job on the bundled vectors (ARGS=... for lnsp demo)"
	@echo "make test         every check: lint, all tests, GPU tests on two devices, doc tests"
	@echo "make test-gpu     the GPU tests on this machine's own device"
	@echo "make lint         formatting, clippy natively and for the browser"
	@echo "make bench-peers  our speed beside PyTorch and ONNX Runtime on this machine"

demo:
	@sh scripts/setup-rust.sh
	@sh scripts/cargo.sh run --release -- demo $(ARGS)

test:
	@bash scripts/test.sh

test-gpu:
	@bash scripts/test.sh gpu

lint:
	@sh scripts/setup-test.sh
	@sh scripts/lint.sh

bench-peers:
	@sh benches/peers/run.sh $(ARGS)
