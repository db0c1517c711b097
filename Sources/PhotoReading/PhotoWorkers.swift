import Foundation
import Imaging
import Products
import Sandbox
import Synchronization

/// Reads photos in processes of their own, which a hostile photo may crash, hang or take over.
///
/// As many photos are read at once as there are workers; who comes when all are busy waits. Workers are started when they
/// are first needed, and replaced when they fail or have served long. Safe to use from several threads.
package final class PhotoWorkers: Sendable {
    /// Why a photo was not read.
    package enum Failure: Error, Hashable, CustomStringConvertible {
        /// What is wrong with it.
        case refused(ImagingError)
        /// The process that was reading it did not live to tell.
        case lost(WorkerFailure)

        package var description: String {
            switch self {
            case .refused(let error): error.description
            case .lost(let failure): "\(failure); export the photo again"
            }
        }
    }

    package struct Reading: Hashable, Sendable {
        /// One for each network, in their order.
        package let pictures: [Picture]
        /// What the photo is; nil where that was not asked for and there is nothing to note.
        package let description: PhotoDescription?
    }

    private let executable: String
    private let reader: PhotoReader
    private let limits: WorkerLimits
    private let isContained: Bool
    private let describesAll: Bool
    private let free: DispatchSemaphore
    private let shared = Mutex(Shared())

    private struct Shared {
        var idle: [Worker] = []
        /// What the last worker that was started gave up.
        var containment: Containment?
    }

    /// The command of this program that is a worker.
    static let command = "read-photos"

    /// - Parameters:
    ///   - executable: the path of this program.
    ///   - count: how many photos may be read at once.
    ///   - isContained: whether workers give up what they do not need.
    ///   - describesAll: whether every reading has a description.
    package init(
        executable: String, reader: PhotoReader, count: Int, limits: WorkerLimits, isContained: Bool,
        describesAll: Bool = false
    ) {
        self.executable = executable
        self.reader = reader
        self.limits = limits
        self.isContained = isContained
        self.describesAll = describesAll
        free = DispatchSemaphore(value: count)
    }

    /// What workers have given up; nil before the first was started.
    package var containment: Containment? { shared.withLock { $0.containment } }

    /// Starts one worker, if there is none.
    ///
    /// - Throws: `SandboxError` where none can be started or contained.
    package func prepare() throws(SandboxError) {
        guard shared.withLock({ $0.idle.isEmpty }) else { return }
        let worker = try start()
        shared.withLock { $0.idle.append(worker) }
    }

    /// The pictures of a photo and what the photo is.
    ///
    /// - Throws: `SandboxError` where no worker can be started: that is not the photo's fault.
    package func read(_ bytes: [UInt8]) throws(SandboxError) -> Result<Reading, Failure> {
        // Before anything is copied or started.
        guard bytes.count <= reader.limits.fileBytes else {
            return .failure(.refused(.fileTooLarge(bytes: bytes.count, limit: reader.limits.fileBytes)))
        }
        free.wait()
        defer { free.signal() }
        var idle = shared.withLock { $0.idle.popLast() }
        while true {
            let hasServed = idle != nil
            let worker: Worker
            if let idle { worker = idle } else { worker = try start() }
            do throws(WorkerFailure) {
                let (message, output) = try worker.ask(bytes)
                let result = try ReadingReply(message).result(output, shapes: reader.shapes)
                // A damaged photo is the likeliest to have done more than fail.
                let isSuspect = if case .failure(.damaged) = result { true } else { false }
                if !isSuspect, !worker.isWornOut { shared.withLock { $0.idle.append(worker) } }
                return result.mapError { .refused($0) }
            } catch {
                // An earlier photo may have left a worker broken, and another may have been ended by somebody else: this
                // photo is not to blame before it has had a worker of its own.
                if !hasServed { return .failure(.lost(error)) }
                if case .timeout = error { return .failure(.lost(error)) }
                idle = nil
            }
        }
    }

    private func start() throws(SandboxError) -> Worker {
        let setup = WorkerSetup(
            reader: reader, limits: limits, isContained: isContained, describesAll: describesAll)
        let worker = try Worker(
            program: executable, argument: Self.command, setup: setup.bytes,
            inputBytes: reader.limits.fileBytes,
            outputBytes: reader.shapes.reduce(0) { $0 + $1.pictureBytes }, limits: limits)
        shared.withLock { $0.containment = worker.containment }
        return worker
    }
}
