//! The macros that define blocks, enums of words and choices of blocks: type, decoder, schema and words at once.

/// Defines a block: its type, its decoder, its schema and its words, at once.
///
/// ```text
/// block! {
///     /// What it is.
///     pub struct Hold("`hold`") {
///         /// What the word means.
///         rate: optional("rate") Rate,
///         span: required("for") Span,
///     }
///     one_of("a", "b");          // exactly one of these words
///     later("users");            // refused as "not supported yet"
///     refused("x" => "why");     // refused with a reason
///     check(function);           // fn(&Hold, Mark, &mut Context): what one block can tell by itself
/// }
/// ```
macro_rules! block {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident($title:literal) {
            $( $(#[doc = $doc:literal])* $field:ident: $need:ident($word:literal) $ty:ty ),* $(,)?
        }
        $(one_of($($one:literal),+);)?
        $(later($($later:literal),+);)?
        $(refused($($bad:literal => $why:literal),+);)?
        $(check($check:path);)?
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $( $(#[doc = $doc])* pub $field: $crate::scenario::field::Field<$ty>, )*
            /// False when a word of it was refused.
            pub complete: bool,
        }

        impl $name {
            pub(crate) const SPEC: $crate::scenario::decode::Spec = $crate::scenario::decode::Spec {
                name: $title,
                about: concat!($($about),*).trim_ascii(),
                words: &[$($word),*],
                required: $crate::scenario::define::block!(@required [] $($need($word))*),
                one_of: &[$($($one),+)?],
                later: &[$($($later),+)?],
                refused: &[$($(($bad, $why)),+)?],
            };
        }

        impl $crate::scenario::decode::Raw for $name {
            fn decode(
                node: &$crate::base::yaml::Node,
                at: $crate::base::diagnostic::Mark,
                cx: &mut $crate::scenario::decode::Context<'_>,
            ) -> Option<$name> {
                let reader = $crate::scenario::decode::Reader::new(&$name::SPEC, node, at, cx)?;
                $( let $field = reader.field($word, cx); )*
                let complete = reader.finish(cx);
                let made = $name { $($field,)* complete };
                $( $check(&made, at, cx); )?
                Some(made)
            }

            fn schema(defs: &mut $crate::scenario::schema::Defs) -> serde_json::Value {
                defs.define(stringify!($name), |defs| {
                    let words = vec![
                        $( ($word, concat!($($doc),*).trim_ascii(), <$ty as $crate::scenario::decode::Raw>::schema(defs)) ),*
                    ];
                    $name::SPEC.schema(words)
                })
            }
        }
    };
    (@required [$($got:literal)*]) => { &[$($got),*] };
    (@required [$($got:literal)*] required($word:literal) $($rest:tt)*) => {
        $crate::scenario::define::block!(@required [$($got)* $word] $($rest)*)
    };
    (@required [$($got:literal)*] optional($word:literal) $($rest:tt)*) => {
        $crate::scenario::define::block!(@required [$($got)*] $($rest)*)
    };
}
pub(crate) use block;

/// Defines an enum of words: its decoder, its schema, and the words that come later.
macro_rules! words {
    (
        $(#[doc = $about:literal])*
        pub enum $name:ident($title:literal) { $( $(#[doc = $doc:literal])* $variant:ident = $word:literal ),* $(,)? }
        $(later($($later:literal),+);)?
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $( $(#[doc = $doc])* $variant ),* }

        impl $name {
            pub const WORDS: &'static [&'static str] = &[$($word),*];
            pub const LATER: &'static [&'static str] = &[$($($later),+)?];

            pub(crate) fn of(word: &str) -> Option<$name> {
                match word {
                    $( $word => Some($name::$variant), )*
                    _ => None,
                }
            }
        }

        impl $crate::scenario::decode::Raw for $name {
            fn decode(
                node: &$crate::base::yaml::Node,
                _: $crate::base::diagnostic::Mark,
                cx: &mut $crate::scenario::decode::Context<'_>,
            ) -> Option<$name> {
                let word = $crate::scenario::value::text(node, concat!("one of the words of ", $title), cx)?;
                let found = $name::of(word);
                if found.is_none() {
                    cx.say(if $name::LATER.contains(&word) {
                        $crate::scenario::decode::not_yet(word, node.mark)
                    } else {
                        $crate::scenario::decode::unknown("word", word, $title, node.mark, $name::WORDS)
                    });
                }
                found
            }

            fn schema(_: &mut $crate::scenario::schema::Defs) -> serde_json::Value {
                $crate::scenario::schema::or_var(serde_json::json!({ "enum": $name::WORDS }))
            }
        }
    };
}
pub(crate) use words;

/// Reads an enum of blocks, each known by its verbs.
macro_rules! choice {
    (
        $name:ident($title:literal) { $( $variant:ident($kind:ident): $($verb:literal)+ ),* $(,)? }
        $(later($($later:literal),+);)?
    ) => {
        impl $crate::scenario::decode::Raw for $name {
            fn decode(
                node: &$crate::base::yaml::Node,
                at: $crate::base::diagnostic::Mark,
                cx: &mut $crate::scenario::decode::Context<'_>,
            ) -> Option<$name> {
                type Decode = fn(
                    &$crate::base::yaml::Node,
                    $crate::base::diagnostic::Mark,
                    &mut $crate::scenario::decode::Context<'_>,
                ) -> Option<$name>;
                let kinds: &[(&[&'static str], &'static $crate::scenario::decode::Spec)] =
                    &[$( (&[$($verb),+], &$kind::SPEC) ),*];
                let decode: &[Decode] = &[$( |node, at, cx| cx.decode::<$kind>(node, at).map(|made| $name::$variant(made.into())) ),*];
                let picked = $crate::scenario::decode::pick($title, node, at, kinds, &[$($($later),+)?], cx)?;
                decode.get(picked).and_then(|decode| decode(node, at, cx))
            }

            fn schema(defs: &mut $crate::scenario::schema::Defs) -> serde_json::Value {
                defs.define(stringify!($name), |defs| {
                    serde_json::json!({ "anyOf": [$( <$kind as $crate::scenario::decode::Raw>::schema(defs) ),*] })
                })
            }
        }
    };
}
pub(crate) use choice;
