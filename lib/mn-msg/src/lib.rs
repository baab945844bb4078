//! the JSON messages on pipes
