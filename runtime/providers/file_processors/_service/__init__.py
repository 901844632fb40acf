"""What every file processor does alike: takes a document in, has it read by a worker, and answers with chunks."""
