//! How our own types are stored: words for enums, JSON text for lists and settings.

/// Declares an enum that is the same word in the store, in JSON and in the documents.
#[macro_export]
macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $meaning:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[derive(diesel::AsExpression, diesel::FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::Text)]
        pub enum $name { $($(#[doc = $meaning])+ #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// What it means: the comment of the declaration, for the documents.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($meaning),+).trim_ascii(),)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> std::result::Result<Self, String> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text).ok_or_else(|| {
                    let words: Vec<_> = Self::ALL.iter().map(|one| one.as_str()).collect();
                    format!("expected one of {}", words.join(", "))
                })
            }
        }

        // By hand: the derive does not see words that come through a macro and would show the variants' names.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::db::types::words_schema(Self::ALL.iter().map(|one| (one.as_str(), one.meaning())))
            }
        }

        impl utoipa::ToSchema for $name {}

        impl<DB> diesel::serialize::ToSql<diesel::sql_types::Text, DB> for $name
        where
            DB: diesel::backend::Backend,
            str: diesel::serialize::ToSql<diesel::sql_types::Text, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
                self.as_str().to_sql(out)
            }
        }

        impl<DB> diesel::deserialize::FromSql<diesel::sql_types::Text, DB> for $name
        where
            DB: diesel::backend::Backend,
            String: diesel::deserialize::FromSql<diesel::sql_types::Text, DB>,
        {
            fn from_sql(value: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                let text = String::from_sql(value)?;
                text.parse().map_err(|reason: String| format!("{text:?} in the store: {reason}").into())
            }
        }
    };
}

/// Declares the schema of a request's field that takes only some words of a [`text_enum!`]. It has no values: what
/// arrives is read as the whole enum and checked.
#[macro_export]
macro_rules! words_of {
    ($(#[$meta:meta])* $name:ident: $all:ty, $may:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                let some = <$all>::ALL.iter().filter(|one| $may(**one));
                $crate::db::types::words_schema(some.map(|one| (one.as_str(), one.meaning())))
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

/// The schema of a text that is one of these words, with what each means.
pub fn words_schema(
    words: impl Iterator<Item = (&'static str, &'static str)> + Clone,
) -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    let meanings: Vec<_> = words.clone().map(|(word, meaning)| format!("- `{word}`: {meaning}")).collect();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words.map(|(word, _)| word)))
        .description(Some(meanings.join("\n")))
        .into()
}

/// A value kept as JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Default, diesel::AsExpression, diesel::FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub struct Json<T>(pub T);

impl<T, DB> diesel::deserialize::FromSql<diesel::sql_types::Text, DB> for Json<T>
where
    T: serde::de::DeserializeOwned,
    DB: diesel::backend::Backend,
    String: diesel::deserialize::FromSql<diesel::sql_types::Text, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
        let text = String::from_sql(value)?;
        Ok(Self(serde_json::from_str(&text)?))
    }
}

/// The JSON text of a value, as [`Json`] columns hold it. Diesel's bind of a freshly made string has no place to
/// live for three databases at once, so writers bind this text itself.
pub fn json_text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
