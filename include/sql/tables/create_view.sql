-- One of the views for analysts; its SELECT comes from include/sql/views/.
CREATE OR REPLACE VIEW "{{ database }}"."{{ view }}" AS
{{ select }}
