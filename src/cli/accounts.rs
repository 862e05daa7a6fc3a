//! Commands about accounts, beside a running server or without one: a first tenant, an administrator, a new
//! password. Generated passwords are printed once and kept nowhere.

use std::io::Read;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::{say, store};
use crate::app::App;
use crate::kernel::secret::{Secret, random_key};
use crate::kernel::{Code, Error, Result};
use crate::members::service as members;
use crate::security::password::Password;
use crate::settings::Settings;
use crate::tenants::service::{self as tenants, NewTenant};
use crate::tenants::store as tenant_store;

/// The tenant and the administrator of a first start.
const FIRST_TENANT: &str = "demo";
const FIRST_ADMIN: &str = "admin";

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Make a tenant with its first administrator.
    Create(CreateTenant),
    /// Close a tenant for all its members, at once; nothing is lost.
    Suspend(NamedTenant),
    /// Open a suspended tenant again.
    Resume(NamedTenant),
}

/// What can be done with administrators.
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Make another administrator of a tenant.
    Create(Account),
    /// Set an account's password, end its sessions and lift its locks.
    ResetPassword(Account),
}

/// Arguments of `tenant create`.
#[derive(Debug, Args)]
pub struct CreateTenant {
    /// The tenant's name in addresses and at sign-in: 1 to 64 of A-Z a-z 0-9 . _ : -
    slug: String,

    /// The name for people; the slug when absent.
    #[arg(long, default_value = "")]
    name: String,

    /// The administrator's login name.
    #[arg(long, default_value = FIRST_ADMIN)]
    admin: String,

    /// Read the password from standard input instead of making one.
    #[arg(long)]
    password_stdin: bool,

    #[command(flatten)]
    settings: Settings,
}

/// A tenant by its name.
#[derive(Debug, Args)]
pub struct NamedTenant {
    /// The tenant's slug.
    pub slug: String,

    #[command(flatten)]
    pub settings: Settings,
}

/// An account by its names.
#[derive(Debug, Args)]
pub struct Account {
    /// The tenant's slug.
    tenant: String,

    /// The login name.
    name: String,

    /// Read the password from standard input instead of making one.
    #[arg(long)]
    password_stdin: bool,

    #[command(flatten)]
    settings: Settings,
}

/// Does what was asked about tenants.
pub fn tenant(command: Tenant) -> Result<()> {
    match command {
        Tenant::Create(arguments) => create_tenant(arguments),
        Tenant::Suspend(tenant) => set_suspended(tenant, true),
        Tenant::Resume(tenant) => set_suspended(tenant, false),
    }
}

fn set_suspended(tenant: NamedTenant, suspended: bool) -> Result<()> {
    let slug = tenant.slug.clone();
    store::with_app(tenant.settings, async move |app| tenants::set_suspended(&app, &slug, suspended).await)?;
    say(format_args!("tenant {} is {}", tenant.slug, if suspended { "suspended" } else { "open" }));
    Ok(())
}

fn create_tenant(arguments: CreateTenant) -> Result<()> {
    let (password, made) = password(arguments.password_stdin)?;
    let new = NewTenant {
        slug: arguments.slug.clone(),
        name: arguments.name,
        admin_name: arguments.admin.clone(),
        admin_password: Password(password.clone()),
        admin_nickname: String::new(),
    };
    store::with_app(arguments.settings, async move |app| tenants::create(&app, new, None).await)?;
    say(format_args!("tenant {} made with its administrator {}", arguments.slug, arguments.admin));
    tell(&password, made);
    Ok(())
}

/// Does what was asked about administrators.
pub fn admin(command: Admin) -> Result<()> {
    let (create, account) = match command {
        Admin::Create(account) => (true, account),
        Admin::ResetPassword(account) => (false, account),
    };
    let (password, made) = password(account.password_stdin)?;
    let (tenant, name, given) = (account.tenant.clone(), account.name.clone(), Password(password.clone()));
    store::with_app(account.settings, async move |app| match create {
        true => members::create_admin(&app, &tenant, &name, given).await,
        false => members::reset_password(&app, &tenant, &name, given).await,
    })?;
    let done = if create { "made an administrator" } else { "has a new password; its sessions are over" };
    say(format_args!("{} of {} {done}", account.name, account.tenant));
    tell(&password, made);
    Ok(())
}

/// On a store without tenants: makes the first one and returns its administrator's password.
pub async fn first_start(app: &Arc<App>) -> Result<Option<FirstStart>> {
    if app.db.read(tenant_store::count).await? > 0 {
        return Ok(None);
    }
    let password = Secret::new(random_key(12));
    let new = NewTenant {
        slug: FIRST_TENANT.to_owned(),
        name: "Demo".to_owned(),
        admin_name: FIRST_ADMIN.to_owned(),
        admin_password: Password(password.clone()),
        admin_nickname: String::new(),
    };
    match tenants::create(app, new, None).await {
        Ok(_) => Ok(Some(FirstStart { tenant: FIRST_TENANT, name: FIRST_ADMIN, password })),
        // Another process on the same store was first, and printed its password.
        Err(error) if error.code == Code::NameTaken => Ok(None),
        Err(error) => Err(error),
    }
}

/// Who may sign in after a first start.
pub struct FirstStart {
    /// The tenant's slug.
    pub tenant: &'static str,
    /// The login name.
    pub name: &'static str,
    /// The password, shown once.
    pub password: Secret,
}

/// The password to use, and whether it was made here.
fn password(from_input: bool) -> Result<(Secret, bool)> {
    if !from_input {
        return Ok((Secret::new(random_key(12)), true));
    }
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|cause| {
        Error::new(Code::InvalidParameter, "standard input cannot be read").caused_by(cause)
    })?;
    Ok((Secret::new(text.trim_end_matches(['\r', '\n'])), false))
}

fn tell(password: &Secret, made: bool) {
    if made {
        say(format_args!("password (shown only now): {}", password.expose()));
    }
}
