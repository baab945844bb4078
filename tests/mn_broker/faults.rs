//! The broker and its clients are killed at any point.
