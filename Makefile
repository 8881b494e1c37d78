# Every target does its own set-up and may be run again. For make 3.81 and later.
.PHONY: help demo page widget serve students test test-gpu test-web test-elsewhere test-cluster lint bench-peers bench-peers-web

help:
	@echo "make demo             build, run the main job on the bundled vectors (ARGS=... for lnsp demo),"
	@echo "                      build the page and, on a terminal, serve it"
	@echo "make page             build the page into dist/, and print what it sends"
	@echo "make widget           the same, and where the widget's npm package is: dist/widget/"
	@echo "make serve            build the page and serve it (PORT=8080)"
	@echo "make students         train again the students that the page ships"
	@echo "make test             every check: lint, all tests, GPU tests on two devices, doc tests, the page, SQL"
	@echo "make test-gpu         the GPU tests on this machine's own device"
	@echo "make test-web         the page in Chromium alone (ARGS=... for node --test)"
	@echo "make test-elsewhere   exported students in ONNX Runtime, sentence-transformers, Node and Rust"
	@echo "make test-cluster     SQL and a cluster on this machine alone (ARGS=... for the tests)"
	@echo "make lint             formatting, clippy natively and for the browser"
	@echo "make bench-peers      our speed beside PyTorch and ONNX Runtime on this machine; with"
	@echo "                      ARGS=codes our codes of a vector beside those of faiss"
	@echo "make bench-peers-web  our speed beside onnxruntime-web in one Chromium"

demo:
	@sh scripts/setup-rust.sh
	@sh scripts/cargo.sh run --release -- demo $(ARGS)
	@sh scripts/page.sh demo

page:
	@sh scripts/page.sh

widget:
	@sh scripts/page.sh widget

serve:
	@sh scripts/page.sh serve

students:
	@sh scripts/make-students.sh

test:
	@bash scripts/test.sh

test-gpu:
	@bash scripts/test.sh gpu

test-web:
	@bash scripts/test.sh web $(ARGS)

test-elsewhere:
	@bash scripts/test.sh elsewhere

test-cluster:
	@bash scripts/test.sh cluster $(ARGS)

lint:
	@sh scripts/setup-test.sh
	@sh scripts/lint.sh

bench-peers:
	@sh benches/peers/run.sh $(ARGS)

bench-peers-web:
	@sh benches/peers/web/run.sh $(ARGS)
