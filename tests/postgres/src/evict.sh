# What ends the servers of a folder and removes it; `guard.sh` and `watchdog.sh` follow it.
#
# Every process of a server works in its folder, or below, from the first step of making its data on. So none is
# overlooked, even if whoever started it was killed in the middle.

processes_in() {
    ls -l /proc/[0-9]*/cwd 2>/dev/null | awk -v folder="$1" '{
        split($0, half, " -> ")
        count = split(half[1], part, "/")
        if (half[2] == folder || index(half[2], folder "/") == 1) print part[count - 1]
    }'
}

# Segments of shared memory that one of the processes "$1" made, or "$2" the one "$3", and nobody uses.
segments_of() {
    awk -v processes=" $1 " -v creator="$2" -v id="$3" '
        $7 == 0 && (index(processes, " " $5 " ") || ($5 == creator && $2 == id)) { print $2 }
    ' /proc/sysvipc/shm 2>/dev/null
}

evict() {
    local note="$1/data/postmaster.pid" postmaster="" segment="" seen="" left process processes
    if [ -f "$note" ]; then
        postmaster="$(sed -n 1p "$note")"
        segment="$(awk 'NR == 7 { print $2 }' "$note")"
    fi
    # Postgres is asked first: it ends its children and gives back what it has. That takes no time, or, in the middle
    # of its start, too long.
    for process in $(processes_in "$1"); do
        seen="$seen $process"
        if [ "$process" = "$postmaster" ]; then
            kill -QUIT "$postmaster" 2>/dev/null
        fi
    done
    left=50
    while [ "$left" -gt 0 ] && [ -f "$note" ] && [ -n "$(processes_in "$1")" ]; do
        sleep 0.02
        left=$((left - 1))
    done
    left=250
    while [ "$left" -gt 0 ]; do
        processes="$(processes_in "$1" | tr '\n' ' ')"
        if [ -z "$processes" ]; then
            break
        fi
        seen="$seen $processes"
        kill -KILL $processes 2>/dev/null
        sleep 0.02
        left=$((left - 1))
    done
    # What was killed could not give its memory back.
    for segment in $(segments_of "$seen" "$postmaster" "$segment"); do
        ipcrm -m "$segment"
    done
    rm -rf "$1"
}
