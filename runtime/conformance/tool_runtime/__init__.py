"""What every provider of tools promises (`runtime/apis/tool_runtime`)."""
