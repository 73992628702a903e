//! Password sign-in for Gatelodge
