//! board-model - a board without an emulator: firmware prompts, a container, a console

fn main() {}
