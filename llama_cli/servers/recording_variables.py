"""The variables by which llama-stack and ogx choose what is recorded or replayed; the first that is set counts.

Imports nothing: the plugin of pytest reads them where `runtime` can be a package of the user's.
"""

MODE = ("LLAMA_STACK_TEST_INFERENCE_MODE", "OGX_TEST_INFERENCE_MODE")
FOLDER = ("LLAMA_STACK_TEST_RECORDING_DIR", "OGX_TEST_RECORDING_DIR")
