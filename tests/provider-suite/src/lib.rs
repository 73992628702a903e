//! The behaviour every Gatelodge provider must show
