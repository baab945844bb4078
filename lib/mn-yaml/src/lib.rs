//! YAML as PyYAML reads it, with style and position
