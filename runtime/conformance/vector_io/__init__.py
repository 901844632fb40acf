"""What every vector database promises (`runtime/apis/vector_io`)."""
