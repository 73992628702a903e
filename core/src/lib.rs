//! The contracts, the model and the sign-in engine of Gatelodge
