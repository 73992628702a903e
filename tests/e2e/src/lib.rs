//! The real binary, over HTTP and in a real browser
