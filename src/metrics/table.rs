//! The form of a table of metrics.

/// Declares a struct of metrics as a table. A row is the field, its type (with its labels), its name and its help
/// text; a start value stands in where `Default` does not do.
macro_rules! metrics_table {
    (@start) => { Default::default() };
    (@start $start:expr) => { $start };
    (
        $(#[$about:meta])*
        $vis:vis struct $table:ident { $($state:ident: $kind:ty,)* }
        $($access:vis $field:ident: $metric:ty $(= $start:expr)?, $name:literal, $help:literal;)*
    ) => {
        $(#[$about])*
        $vis struct $table {
            $($state: $kind,)*
            $(#[doc = $help] $access $field: $metric,)*
        }

        impl $table {
            fn unregistered() -> Self {
                Self {
                    $($state: Default::default(),)*
                    $($field: metrics_table!(@start $($start)?),)*
                }
            }

            pub(super) fn register(&self, registry: &mut Registry) {
                $(registry.register($name, $help, self.$field.clone());)*
            }
        }
    };
}

pub(super) use metrics_table;
