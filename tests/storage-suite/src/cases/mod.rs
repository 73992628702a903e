//! The cases, one module per aggregate. Their list is in `list.rs`.
#![deny(dead_code)]

use crate::hidden::Case;

crate::for_each_case! { __storage_suite_table () }
