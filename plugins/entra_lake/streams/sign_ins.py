"""Interactive sign-ins of users, one record per attempt. Graph: auditLogs/signIns."""

from entra_lake.schema import Column, Stream, Type

_RISK_LEVELS = ("low", "medium", "high", "hidden", "none", "unknownFutureValue")
_RISK_DETAILS = (
    "none",
    "adminGeneratedTemporaryPassword",
    "userPerformedSecuredPasswordChange",
    "userPerformedSecuredPasswordReset",
    "adminConfirmedSigninSafe",
    "aiConfirmedSigninSafe",
    "userPassedMFADrivenByRiskBasedPolicy",
    "adminDismissedAllRiskForUser",
    "adminConfirmedSigninCompromised",
    "hidden",
    "adminConfirmedUserCompromised",
    "unknownFutureValue",
    "m365DAdminDismissedDetection",
    "adminConfirmedServicePrincipalCompromised",
    "adminDismissedAllRiskForServicePrincipal",
    "userChangedPasswordOnPremises",
    "adminDismissedRiskForSignIn",
    "adminConfirmedAccountSafe",
    "microsoftRevokedSessions",
)

STREAM = Stream(
    name="sign_ins",
    path="auditLogs/signIns",
    time_field="createdDateTime",
    permission="AuditLog.Read.All",
    actor=("userId", "userPrincipalName"),
    licence="Microsoft Entra ID P1 (one licence in the tenant is enough)",
    doc_url="https://learn.microsoft.com/graph/api/resources/signin?view=graph-rest-1.0",
    description="Interactive sign-ins of users; v1.0 serves no non-interactive or service principal sign-ins.",
    columns=(
        Column(
            "id", Type.STRING, "id", "Id of the sign-in, which is also the request id that users see on error pages."
        ),
        Column("created_date_time", Type.STRING, "createdDateTime", "The event's time, exactly as Graph wrote it."),
        Column("user_id", Type.STRING, "userId", "Object id of the user."),
        Column("user_principal_name", Type.STRING, "userPrincipalName", "Sign-in name; a GUID or empty at times."),
        Column("user_display_name", Type.STRING, "userDisplayName", "The user's name as shown at that moment."),
        Column("app_id", Type.STRING, "appId", "Client id of the application signed in to."),
        Column("app_display_name", Type.STRING, "appDisplayName", "Name of the application signed in to."),
        Column("resource_id", Type.STRING, "resourceId", "Id of the resource that the token is for."),
        Column(
            "resource_display_name", Type.STRING, "resourceDisplayName", "Name of the resource that the token is for."
        ),
        Column("resource_tenant_id", Type.STRING, "resourceTenantId", "Tenant that owns the resource."),
        Column("home_tenant_id", Type.STRING, "homeTenantId", "Tenant that the user belongs to."),
        Column(
            "service_principal_id",
            Type.STRING,
            "servicePrincipalId",
            "Object id of the service principal, empty for users.",
        ),
        Column(
            "service_principal_name",
            Type.STRING,
            "servicePrincipalName",
            "Name of the service principal, empty for users.",
        ),
        Column(
            "ip_address", Type.STRING, "ipAddress", "Address that the sign-in came from; Graph may mask its last part."
        ),
        Column(
            "user_agent",
            Type.STRING,
            "userAgent",
            "What the client says it is; written by the client, so never trust it.",
        ),
        Column(
            "client_app_used",
            Type.STRING,
            "clientAppUsed",
            "Kind of client; Exchange ActiveSync, IMAP, POP and SMTP mean legacy authentication.",
        ),
        Column("is_interactive", Type.BOOLEAN, "isInteractive", "Whether a person was asked for something."),
        Column("correlation_id", Type.STRING, "correlationId", "Joins the records of one attempt."),
        Column(
            "conditional_access_status",
            Type.STRING,
            "conditionalAccessStatus",
            "What all Conditional Access policies together decided.",
            values=("success", "failure", "notApplied", "unknownFutureValue"),
        ),
        Column("status_error_code", Type.INT, "status.errorCode", "0 is success; otherwise the AADSTS number."),
        Column(
            "status_failure_reason", Type.STRING, "status.failureReason", "The error in words; 'Other.' on success."
        ),
        Column(
            "status_additional_details",
            Type.STRING,
            "status.additionalDetails",
            "More on how the attempt ended, such as how MFA was satisfied.",
        ),
        Column(
            "device_detail_device_id", Type.STRING, "deviceDetail.deviceId", "Id of a registered device, else empty."
        ),
        Column(
            "device_detail_display_name",
            Type.STRING,
            "deviceDetail.displayName",
            "Name of a registered device, else empty.",
        ),
        Column("device_detail_operating_system", Type.STRING, "deviceDetail.operatingSystem", "Operating system."),
        Column("device_detail_browser", Type.STRING, "deviceDetail.browser", "Browser and its version."),
        Column(
            "device_detail_is_compliant",
            Type.BOOLEAN,
            "deviceDetail.isCompliant",
            "Whether the device meets the tenant's compliance policies.",
        ),
        Column("device_detail_is_managed", Type.BOOLEAN, "deviceDetail.isManaged", "Whether the device is managed."),
        Column(
            "device_detail_trust_type",
            Type.STRING,
            "deviceDetail.trustType",
            "How the device is joined to the directory.",
        ),
        Column("location_city", Type.STRING, "location.city", "City, guessed from the address."),
        Column("location_state", Type.STRING, "location.state", "State or province, guessed from the address."),
        Column(
            "location_country_or_region",
            Type.STRING,
            "location.countryOrRegion",
            "Two-letter country code, guessed from the address.",
        ),
        Column(
            "location_geo_coordinates_latitude", Type.DOUBLE, "location.geoCoordinates.latitude", "Latitude in degrees."
        ),
        Column(
            "location_geo_coordinates_longitude",
            Type.DOUBLE,
            "location.geoCoordinates.longitude",
            "Longitude in degrees.",
        ),
        Column(
            "location_geo_coordinates_altitude",
            Type.DOUBLE,
            "location.geoCoordinates.altitude",
            "Altitude in feet; hardly ever filled.",
        ),
        Column(
            "risk_state",
            Type.STRING,
            "riskState",
            "Where a risk stands; filled with a P2 licence.",
            values=(
                "none",
                "confirmedSafe",
                "remediated",
                "dismissed",
                "atRisk",
                "confirmedCompromised",
                "unknownFutureValue",
            ),
        ),
        Column("risk_detail", Type.STRING, "riskDetail", "Why the risk stands there.", values=_RISK_DETAILS),
        Column(
            "risk_level_during_sign_in",
            Type.STRING,
            "riskLevelDuringSignIn",
            "Risk as it was judged at the sign-in.",
            values=_RISK_LEVELS,
        ),
        Column(
            "risk_level_aggregated",
            Type.STRING,
            "riskLevelAggregated",
            "Risk as it is judged all in all; may change for weeks.",
            values=_RISK_LEVELS,
        ),
        Column(
            "risk_event_types_json", Type.JSON, "riskEventTypes", "Kinds of risk in Graph's retired list, as JSON text."
        ),
        Column("risk_event_types_v2_json", Type.JSON, "riskEventTypes_v2", "Kinds of risk, as JSON text."),
        Column("risk_event_types_v2", Type.STRINGS, "riskEventTypes_v2", "Kinds of risk, for filters."),
        Column(
            "applied_conditional_access_policies_json",
            Type.JSON,
            "appliedConditionalAccessPolicies",
            "Each policy that was weighed: id, name, grant controls, session controls, result; JSON text.",
        ),
        Column(
            "authentication_app_device_details_app_version",
            Type.STRING,
            "authenticationAppDeviceDetails.appVersion",
            "Version of the authenticator app.",
        ),
        Column(
            "authentication_app_device_details_client_app",
            Type.STRING,
            "authenticationAppDeviceDetails.clientApp",
            "Which authenticator app.",
        ),
        Column(
            "authentication_app_device_details_device_id",
            Type.STRING,
            "authenticationAppDeviceDetails.deviceId",
            "Device of the authenticator app.",
        ),
        Column(
            "authentication_app_device_details_operating_system",
            Type.STRING,
            "authenticationAppDeviceDetails.operatingSystem",
            "Operating system of the authenticator app's device.",
        ),
    ),
)
