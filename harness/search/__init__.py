"""Search methods: how an answer is chosen, and at what cost."""
