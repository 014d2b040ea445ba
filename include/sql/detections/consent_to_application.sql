/* ---
id: consent_to_application
title: Consent to an application
severity: medium
attack: [T1528]
streams: [directory_audits]
entity: application
why: >-
  An application with consent reads mail and files without a password and without MFA, until the consent is taken back.
  Phishing for consent is as common as phishing for passwords.
parameters:
  harmless_permissions:
    type: texts
    default: [openid, profile, email, offline_access, user.read, user.readbasic.all]
    description: Permissions that tell no more than who somebody is. A consent to others is a finding.
  trusted_applications:
    type: texts
    default: []
    description: Object ids of applications (service principals) that users may consent to. Names would be easy to imitate.
false_positives:
  - A new application that you have chosen, or an administrator's consent for everybody.
what_to_do:
  - Ask the user whether they know the application, and look up its publisher.
  - If not, revoke the consent, disable the application, and look at what it read. A new password does not help.
--- */
WITH facts AS (
  SELECT
    id,
    max(CASE WHEN property_name IN ('ConsentAction.Permissions', 'DelegatedPermissionGrant.Scope') THEN new_value END)
      AS permissions,
    max(CASE WHEN property_name = 'ServicePrincipal.ObjectID' THEN new_value END) AS client_id,
    max(CASE WHEN property_name IN ('ServicePrincipal.DisplayName', 'ServicePrincipal.Name') THEN new_value END)
      AS client_name,
    count_if(
      (property_name = 'ConsentContext.IsAdminConsent' AND lower(new_value) = 'true')
      OR new_value = 'AllPrincipals' OR new_value LIKE '%ConsentType: AllPrincipals%'
    ) > 0 AS is_for_everybody
  FROM audit_changes
  WHERE dt = {{ day }} AND lower(activity_display_name) IN ('consent to application', 'add delegated permission grant')
  GROUP BY id
),
grants AS (
  SELECT
    t.id,
    t.event_time,
    t.actor_type,
    t.actor_id,
    t.actor_name,
    t.actor_ip_address,
    -- A grant's target is the interface that is opened; the application stands in a property.
    coalesce(
      CASE WHEN lower(t.activity_display_name) = 'add delegated permission grant' THEN f.client_id END,
      t.target_id, t.target_display_name, 'unknown'
    ) AS application,
    CASE
      WHEN lower(t.activity_display_name) = 'add delegated permission grant' AND f.client_id IS NOT NULL
        THEN f.client_name
      ELSE t.target_display_name
    END AS application_name,
    coalesce(f.is_for_everybody, FALSE) AS is_for_everybody,
    f.permissions,
    -- `[old grants] => [[…, ConsentType: Principal, Scope: Mail.Read User.Read, …]]`, or the permissions alone.
    filter(
      split(lower(CASE
        WHEN lower(t.activity_display_name) = 'add delegated permission grant' THEN f.permissions
        ELSE nullif(array_join(regexp_extract_all(
          CASE WHEN strpos(f.permissions, '=>') > 0 THEN substr(f.permissions, strpos(f.permissions, '=>'))
            ELSE f.permissions END,
          'Scope: *([^,\]]*)', 1
        ), ' '), '')
      END), ' '),
      permission -> permission <> '' AND NOT contains({{ harmless_permissions }}, permission)
    ) AS powers
  FROM audit_targets AS t
  LEFT JOIN facts AS f ON f.id = t.id
  WHERE t.dt = {{ day }}
    AND t.target_number = 1
    AND t.result = 'success'
    AND lower(t.activity_display_name) IN ('consent to application', 'add delegated permission grant')
)
SELECT
  application AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(*) AS event_count,
  CASE WHEN min(actor_id) = max(actor_id) AND max(actor_type) = 'user' THEN max(actor_id) END AS user_id,
  CASE WHEN min(actor_name) = max(actor_name) AND max(actor_type) = 'user' THEN max(actor_name) END
    AS user_principal_name,
  CASE WHEN min(actor_ip_address) = max(actor_ip_address) THEN max(actor_ip_address) END AS ip_address,
  coalesce(array_join(array_agg(DISTINCT actor_name ORDER BY actor_name) FILTER (WHERE actor_name IS NOT NULL), ', '),
    'Somebody') || ' consented to the application ' || coalesce(max(application_name), application)
    || CASE WHEN bool_or(is_for_everybody) THEN ' for everybody' ELSE '' END
    || coalesce(': ' || max(array_join(powers, ' ')), '') AS summary,
  json_format(CAST(slice(array_agg('directory_audits:' || id ORDER BY event_time, id), 1, 20) AS json)) AS evidence_json
FROM grants
WHERE (powers IS NULL OR cardinality(powers) > 0)
  AND NOT contains({{ trusted_applications }}, lower(application))
GROUP BY application
