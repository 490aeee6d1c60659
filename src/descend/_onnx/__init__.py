"""Models as files of ONNX, each checked in onnxruntime before it is written; with the extra `export`."""
