//! UHFReader18 and UHFReader288: the readers of Chafon (CF-RU, CF-MU), Wyuan, FRD950 and others.

pub mod codec;
