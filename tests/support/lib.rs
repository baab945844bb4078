//! What the tests of several tools share.
