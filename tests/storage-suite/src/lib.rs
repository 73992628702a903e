//! The behaviour every Gatelodge storage backend must show
