"""What policies and PRMs share: options, catalogues, model folders, files of other people."""
