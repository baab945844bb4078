//! the state of a multinode group: join, send, wait, sync, leave
