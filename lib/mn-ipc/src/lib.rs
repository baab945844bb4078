//! the JSON on the broker's socket
