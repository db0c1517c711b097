import Catalogue
import Embedding
import Foundation
import Imaging
import Products
import Publishing
import Sandbox
import Settings
import Watching

// Where one room's words become another's.

extension Settings {
    /// Names the rules under which a photo can fail for good.
    ///
    /// - Parameter model: the model's identity: one may find a direction where another does not.
    func readingRules(_ model: ContentDigest) -> String {
        [
            PhotoReader.version, maxFileBytes, maxPixels, maxFrames, maxProfileBytes, maxMetadataBytes,
            workerTimeoutSeconds, workerMemoryBytes, isSandboxed ? 1 : 0,
        ].map(String.init).joined(separator: "/") + "/\("\(model)".prefix(16))"
    }
}

extension PhotoReader {
    init(settings: Settings, shapes: [PictureShape]) {
        self.init(
            shapes: shapes,
            limits: Limits(
                fileBytes: settings.maxFileBytes, pixels: settings.maxPixels, frames: settings.maxFrames,
                profileBytes: settings.maxProfileBytes, metadataBytes: settings.maxMetadataBytes))
    }
}

/// The name to run a program by. Of this one it is the name by which the kernel runs the very program that runs now, whatever
/// was installed meanwhile.
func runnable(_ executable: String) -> String {
    let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return executable == own ? "/proc/self/exe" : executable
}

extension PhotoWorkers {
    convenience init(
        settings: Settings, shapes: [PictureShape], executable: String, describesAll: Bool = false
    ) {
        self.init(
            executable: runnable(executable),
            reader: PhotoReader(settings: settings, shapes: shapes),
            // Two at least: while one is held up by a bad photo, the others go on.
            count: max(2, settings.effectiveThreads),
            limits: WorkerLimits(
                memoryBytes: settings.workerMemoryBytes, timeoutSeconds: settings.workerTimeoutSeconds),
            isContained: settings.isSandboxed, describesAll: describesAll)
    }
}

extension Settings {
    var hookTimes: HookSchedule.Times {
        HookSchedule.Times(
            settle: hookSettle, settleLimit: hookSettleLimit, retry: hookRetry, retryLimit: hookRetryLimit)
    }
}

extension PhotoFilter {
    init(settings: Settings) {
        self.init(
            extensions: settings.imageExtensions, excludes: settings.imageExcludes,
            followsLinks: settings.followsLinks)
    }
}
