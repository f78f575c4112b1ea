/// The version of this ABI, which is the number in the shared library's SONAME.
///
/// It grows when programs built against an older header would break. Until then functions, settings, fields and named
/// values are only added.
pub const CB_ABI_VERSION: u32 = 1;
