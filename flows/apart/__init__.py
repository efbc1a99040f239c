"""Taking payloads apart beside publishing: what a transform must say of itself so that other processes can do its arithmetic, those
processes, and how rows get to them and back. docs/decisions says why it is made this way."""
