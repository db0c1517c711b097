import Products
import Watching

/// Photos that may be in the making are looked at later: half a photo is not worth reading.
package struct Deferral: Sendable {
    /// Photos that somebody has begun to write and not closed yet.
    package var unfinished: Set<ImagePath> = []
    /// Photos that have been closed or moved into their place: these are whole however young.
    package var finished: Set<ImagePath> = []
    /// Photos that changed so short a time ago may still be written to.
    package var youngFor: Duration?

    package init() {}

    func isInTheMaking(
        _ path: ImagePath, _ stamp: FileStamp, hasOtherNames: Bool, at now: Int = FileStamp.now
    ) -> Bool {
        if finished.contains(path) { return false }
        // A name that was given to a file that has another: nothing is being written.
        if unfinished.contains(path) { return !hasOtherNames }
        return youngFor.map { stamp.isYoung(within: $0, at: now) } ?? false
    }
}

extension ReconcilePlan {
    /// Takes readings of photos in the making out of the plan, and returns these photos as they are now.
    mutating func deferReadings(_ deferral: Deferral) -> [FolderScan.Photo] {
        var deferred: [FolderScan.Photo] = []
        removeReadings { reading in
            let isDeferred = deferral.isInTheMaking(
                reading.photo.path, reading.photo.stamp, hasOtherNames: reading.photo.hasOtherNames)
            if isDeferred { deferred.append(reading.photo) }
            return isDeferred
        }
        return deferred
    }

    /// The plan without the readings from an index on, and these photos.
    func dropReadings(from index: Int) -> (plan: ReconcilePlan, photos: [FolderScan.Photo]) {
        let left = readings[index...].map(\.photo)
        guard !left.isEmpty else { return (self, []) }
        var plan = self
        let dropped = Set(left.map(\.path))
        plan.removeReadings { dropped.contains($0.photo.path) }
        return (plan, left)
    }

    /// Takes photos that have gone out of the plan where a photo that has not been read yet has the same size and time:
    /// it is probably the same one, renamed. Both halves of a rename belong into one round.
    ///
    /// - Returns: for each unread photo that has such a counterpart, the photo that has gone.
    mutating func withholdRemovals(for unread: [FolderScan.Photo]) -> [ImagePath: ImagePath] {
        guard !unread.isEmpty, !removed.isEmpty else { return [:] }
        var waiting = Dictionary(grouping: unread, by: \.stamp)
        var counterparts: [ImagePath: ImagePath] = [:]
        removeRemoved { record in
            guard record.digest != nil, let photo = waiting[record.stamp]?.popLast() else { return false }
            counterparts[photo.path] = record.path
            return true
        }
        return counterparts
    }
}
