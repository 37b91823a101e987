#!/bin/sh
# Imports a file of saved objects into the Dashboards of one or several clusters, as a step of a pipeline does it.
#
#   TOKEN=… sh deploy-dashboards.sh dashboards.ndjson https://staging.example.com/dashboards https://dashboards.example.com
#
# TOKEN is an access token with `write:dashboards` (or what maps to it), good on each of the clusters. The file comes from an export, by
# hand in Dashboards or by `POST /api/saved_objects/_export`. Objects that are there already are replaced. Ends with status 1
# when one of the imports is refused or incomplete; the others are done all the same.
set -u
: "${TOKEN:?an access token}"
file=${1:?the file to import}
shift
[ "$#" -gt 0 ] || { echo "name at least one URL of Dashboards" >&2; exit 2; }

failed=0
for url in "$@"; do
  # The token is given on standard input: arguments can be seen by everyone on the machine.
  answer=$(printf 'Authorization: Bearer %s\n' "$TOKEN" | curl --silent --show-error --fail-with-body \
    --header @- --header 'osd-xsrf: true' --form "file=@$file" "$url/api/saved_objects/_import?overwrite=true")
  status=$?
  # Dashboards answers 200 as well when it could not import everything.
  case $status:$answer in
    0:*'"success":true'*) echo "$url: $answer" ;;
    *) echo "$url: not imported: $answer" >&2; failed=1 ;;
  esac
done
exit $failed
