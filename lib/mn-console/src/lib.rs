//! bytes from a console in, what was found in them out
