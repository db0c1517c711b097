import Glibc
import Products

/// Photos that may be in the making are looked at later: half a photo is not worth reading.
package struct Deferral: Sendable {
    /// Photos that somebody has begun to write and not closed yet.
    package var unfinished: Set<ImagePath> = []
    /// Photos that have been closed or moved into their place: these are whole however young.
    package var finished: Set<ImagePath> = []
    /// Photos that changed so short a time ago may still be written to.
    package var youngFor: Duration?

    package init() {}

    func isInTheMaking(_ path: ImagePath, mtimeNanoseconds: Int, hasOtherNames: Bool) -> Bool {
        if finished.contains(path) { return false }
        // A name that was given to a file that has another: nothing is being written.
        if unfinished.contains(path) { return !hasOtherNames }
        guard let youngFor else { return false }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let age = now.tv_sec * 1_000_000_000 + now.tv_nsec - mtimeNanoseconds
        let limit = Int(youngFor.seconds * 1e9)
        // A time in the future says nothing.
        return -limit < age && age < limit
    }
}

extension ReconcilePlan {
    /// Takes readings of photos in the making out of the plan, and returns these photos.
    mutating func deferReadings(_ deferral: Deferral) -> [ImagePath] {
        var deferred: [ImagePath] = []
        removeReadings { reading in
            let isDeferred = deferral.isInTheMaking(
                reading.photo.path, mtimeNanoseconds: reading.photo.stamp.mtimeNanoseconds,
                hasOtherNames: reading.photo.hasOtherNames)
            if isDeferred { deferred.append(reading.photo.path) }
            return isDeferred
        }
        return deferred
    }

    /// The plan without the readings from an index on, and these.
    func dropReadings(from index: Int) -> (plan: ReconcilePlan, paths: [ImagePath]) {
        let left = readings[index...].map(\.photo.path)
        guard !left.isEmpty else { return (self, []) }
        var plan = self
        let dropped = Set(left)
        plan.removeReadings { dropped.contains($0.photo.path) }
        return (plan, left)
    }
}
