"""What is needed to start, and when settings change: how the parts of a pack fit together."""
