"""Other people's harnesses, with ours inside."""
