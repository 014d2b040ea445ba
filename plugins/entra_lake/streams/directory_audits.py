"""Changes in the directory: users, groups, roles, applications, policies. Graph: auditLogs/directoryAudits."""

from entra_lake.schema import Column, Stream, Type, Variety

STREAM = Stream(
    name="directory_audits",
    path="auditLogs/directoryAudits",
    time_field="activityDateTime",
    permission="AuditLog.Read.All",
    doc_url="https://learn.microsoft.com/graph/api/resources/directoryaudit?view=graph-rest-1.0",
    description="Changes in the directory: users, groups, roles, applications and policies, with old and new values.",
    time_digits=7,
    actor=("initiatedBy.user.id", "initiatedBy.user.userPrincipalName"),
    columns=(
        Column(
            "id",
            Type.STRING,
            "id",
            "Id of the record; not always a GUID, and it may hold spaces.",
            variety=Variety.EACH,
        ),
        Column(
            "activity_date_time",
            Type.STRING,
            "activityDateTime",
            "The event's time, exactly as Graph wrote it, up to 100 ns.",
            variety=Variety.EACH,
        ),
        Column(
            "activity_display_name",
            Type.STRING,
            "activityDisplayName",
            "What was done; a trailing blank or an en dash may occur.",
        ),
        Column("category", Type.STRING, "category", "Kind of the thing that was changed, such as UserManagement."),
        Column("operation_type", Type.STRING, "operationType", "Kind of change, such as Add, Update, Assign, Delete."),
        Column("logged_by_service", Type.STRING, "loggedByService", "Service that wrote the record."),
        Column(
            "result",
            Type.STRING,
            "result",
            "How it ended.",
            values=("success", "failure", "timeout", "unknownFutureValue"),
        ),
        Column("result_reason", Type.STRING, "resultReason", "Why it failed; empty on success."),
        Column(
            "correlation_id", Type.STRING, "correlationId", "Joins the records of one action.", variety=Variety.EACH
        ),
        Column(
            "initiated_by_user_id",
            Type.STRING,
            "initiatedBy.user.id",
            "Object id of the person who acted.",
            variety=Variety.MANY,
        ),
        Column(
            "initiated_by_user_user_principal_name",
            Type.STRING,
            "initiatedBy.user.userPrincipalName",
            "Sign-in name of the person who acted.",
            variety=Variety.MANY,
        ),
        Column(
            "initiated_by_user_display_name",
            Type.STRING,
            "initiatedBy.user.displayName",
            "Name of the person who acted.",
            variety=Variety.MANY,
        ),
        Column(
            "initiated_by_user_ip_address",
            Type.STRING,
            "initiatedBy.user.ipAddress",
            "Address that the person acted from.",
            variety=Variety.MANY,
        ),
        Column(
            "initiated_by_user_user_type",
            Type.STRING,
            "initiatedBy.user.userType",
            "Member or guest; outside Graph's schema, often left out.",
            optional=True,
        ),
        Column(
            "initiated_by_user_home_tenant_id",
            Type.STRING,
            "initiatedBy.user.homeTenantId",
            "Home tenant of a guest; outside Graph's schema, often left out.",
            optional=True,
        ),
        Column(
            "initiated_by_user_home_tenant_name",
            Type.STRING,
            "initiatedBy.user.homeTenantName",
            "Name of a guest's home tenant; outside Graph's schema, often left out.",
            optional=True,
        ),
        Column(
            "initiated_by_app_app_id", Type.STRING, "initiatedBy.app.appId", "Client id of the application that acted."
        ),
        Column(
            "initiated_by_app_display_name",
            Type.STRING,
            "initiatedBy.app.displayName",
            "Name of the application that acted.",
        ),
        Column(
            "initiated_by_app_service_principal_id",
            Type.STRING,
            "initiatedBy.app.servicePrincipalId",
            "Object id of the application's service principal.",
        ),
        Column(
            "initiated_by_app_service_principal_name",
            Type.STRING,
            "initiatedBy.app.servicePrincipalName",
            "Name of the application's service principal.",
        ),
        Column(
            "target_resources_json",
            Type.JSON,
            "targetResources",
            "What was changed: id, displayName, type, userPrincipalName, groupType, modifiedProperties; JSON text.",
            variety=Variety.EACH,
        ),
        Column("target_resource_ids", Type.STRINGS, "targetResources.id", "Ids of what was changed, for filters."),
        Column(
            "target_resource_display_names",
            Type.STRINGS,
            "targetResources.displayName",
            "Names of what was changed, for filters.",
        ),
        Column(
            "target_resource_user_principal_names",
            Type.STRINGS,
            "targetResources.userPrincipalName",
            "Sign-in names of the users that were changed, for filters.",
        ),
        Column(
            "modified_property_names",
            Type.STRINGS,
            "targetResources.modifiedProperties.displayName",
            "Names of the changed properties, for filters.",
        ),
        Column(
            "additional_details_json",
            Type.JSON,
            "additionalDetails",
            "More facts as a list of key and value; JSON text.",
        ),
    ),
)
