import Glibc

/// How long tests wait for what has to happen: so long that only what hangs takes longer, on a busy machine too.
package let patience = Duration.seconds(180)

/// Waits for something to become true.
package func eventually(_ isTrue: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now + patience
    repeat {
        if try isTrue() { return true }
        usleep(20_000)
    } while ContinuousClock.now < end
    return false
}
