# Stops the shared server once nobody has needed it for a while. $1: the folder of everything; $2: seconds.
#
# The input is the locked file `watchdog`: the lock says that there is a watchdog, and no child may hold it on.

trap '' HUP INT
exec 8<>"$1/users" 9<>"$1/gate"
while :; do
    flock -x 8 </dev/null
    flock -u 8 </dev/null
    sleep "$2" </dev/null
    # Behind the gate nobody comes or starts a server.
    flock -x 9 </dev/null
    if flock -n -x 8 </dev/null; then
        break
    fi
    flock -u 9 </dev/null
done
for run in "$1"/server-*; do
    if [ -d "$run" ]; then
        evict "$run" </dev/null
    fi
done
# At once: whoever waits at the gate finds that it is another one, and whoever comes makes a new folder.
mv "$1" "$1.gone-$$"
rm -rf "$1.gone-$$"
