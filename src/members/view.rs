//! How an account looks to clients: whole to the staff, and without what the staff keep about it to a customer.
//! Invariant: [`CustomerAccount`] is the only view of an account that a customer is given.

use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::store::MemberRow;
use crate::domain::member::{MemberStatus, Role};
use crate::kernel::{MemberId, Millis};

/// An account as the staff see it: visitor, agent, supervisor or administrator.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Member {
    /// The member.
    pub id: MemberId,
    /// What it may do.
    pub role: Role,
    /// The name it signs in with; visitors have none.
    #[schema(required)]
    pub login_name: Option<String>,
    /// The name that others see.
    pub nickname: String,
    /// The address of a picture, or empty.
    pub avatar: String,
    /// E-mail address, or empty.
    pub email: String,
    /// Mobile number, or empty.
    pub mobile: String,
    /// Which language the person reads: a tag of BCP 47 such as `zh-CN`, or empty.
    pub locale: String,
    /// The tenant's own id of this customer, once it was identified.
    #[schema(required)]
    pub external_id: Option<String>,
    /// The account that this one is a sub-account of.
    #[schema(required)]
    pub parent_id: Option<MemberId>,
    /// What the staff note about it.
    pub tags: Vec<String>,
    /// What it is good at; routing looks at them.
    pub skills: Vec<String>,
    /// How many conversations it accepts at once.
    pub max_accept: i32,
    /// Whether it may be used.
    pub status: MemberStatus,
    /// Locked until then for addresses and devices that it does not know, after many failed sign-ins.
    #[schema(required)]
    pub locked_until: Option<Millis>,
    /// When it last signed in with its password.
    #[schema(required)]
    pub last_login_at: Option<Millis>,
    /// From which address; empty when never.
    pub last_login_ip: String,
    /// When it last signed in or refreshed its tokens.
    #[schema(required)]
    pub last_seen: Option<Millis>,
    /// When the account ends.
    #[schema(required)]
    pub expires_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
    /// Whether the tenant vouches for the e-mail address: by a signed identity token or through an administrator.
    /// What a customer claims about itself is not verified.
    pub email_verified: bool,
    /// Whether the tenant vouches for the mobile number.
    pub mobile_verified: bool,
    /// Whether it is the account of a program: it has API keys and never signs in.
    pub service_account: bool,
}

impl From<MemberRow> for Member {
    fn from(row: MemberRow) -> Self {
        Self {
            id: row.id,
            role: row.role,
            login_name: row.login_name,
            nickname: row.nickname,
            avatar: row.avatar,
            email: row.email,
            mobile: row.mobile,
            locale: row.locale,
            external_id: row.external_id,
            parent_id: row.parent_id,
            tags: row.tags.0,
            skills: row.skills.0,
            max_accept: row.max_accept,
            status: row.status,
            locked_until: row.locked_until.map(Millis),
            last_login_at: row.last_login_at.map(Millis),
            last_login_ip: row.last_login_ip,
            last_seen: row.last_seen.map(Millis),
            expires_at: row.expires_at.map(Millis),
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
            email_verified: row.email_verified,
            mobile_verified: row.mobile_verified,
            service_account: row.service_account,
        }
    }
}

/// A customer's account as the customer sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CustomerAccount {
    /// The member.
    pub id: MemberId,
    /// `customer`.
    pub role: Role,
    /// The name that others see.
    pub nickname: String,
    /// The address of a picture, or empty.
    pub avatar: String,
    /// E-mail address, or empty.
    pub email: String,
    /// Mobile number, or empty.
    pub mobile: String,
    /// Which language the person reads: a tag of BCP 47 such as `zh-CN`, or empty.
    pub locale: String,
    /// The tenant's own id of this customer, once it was identified.
    #[schema(required)]
    pub external_id: Option<String>,
    /// When it was made.
    pub created_at: Millis,
}

impl From<MemberRow> for CustomerAccount {
    fn from(row: MemberRow) -> Self {
        Self {
            id: row.id,
            role: row.role,
            nickname: row.nickname,
            avatar: row.avatar,
            email: row.email,
            mobile: row.mobile,
            locale: row.locale,
            external_id: row.external_id,
            created_at: Millis(row.created_at),
        }
    }
}

/// The own account.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Me {
    /// Of a customer.
    Customer(CustomerAccount),
    /// Of a member of the staff.
    Staff(Box<Member>),
}

impl From<MemberRow> for Me {
    fn from(row: MemberRow) -> Self {
        match row.role.is_staff() {
            true => Self::Staff(Box::new(row.into())),
            false => Self::Customer(row.into()),
        }
    }
}

/// One schema: the fields of [`Member`], of which those of [`CustomerAccount`] are always there.
impl PartialSchema for Me {
    fn schema() -> RefOr<Schema> {
        let mut schema = Member::schema();
        if let (RefOr::T(Schema::Object(all)), RefOr::T(Schema::Object(customer))) =
            (&mut schema, CustomerAccount::schema())
        {
            all.required = customer.required;
            all.description = Some(
                "The own account. A customer gets the required fields, the staff all of them.".to_owned(),
            );
        }
        schema
    }
}

impl ToSchema for Me {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Member::schemas(schemas);
    }
}
