"""Critics: PRMs that write before they judge."""
