//! The one place of the API that names delivery.

pub(super) use crate::deliver::Handle;
pub(super) use crate::deliver::attempt::AttemptRecord;
pub(super) use crate::deliver::outcome::{AttemptError, Failure};
pub(super) use crate::deliver::send::InvalidRoute;
pub(super) use crate::deliver::{
    Activity, AsideEvent, Body, Cause, EndpointState, EndpointStatus, Granted, InHand, Made, Outlook, RIGHTS_FAULT,
    TestError, TestReport, TestRequest, Whereabouts, Wish, minute_of,
};
