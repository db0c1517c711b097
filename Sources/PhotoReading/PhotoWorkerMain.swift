import Imaging
import Sandbox

/// The process that `PhotoWorkers` starts.
package enum PhotoWorkerMain {
    /// Whether this process was started to be a worker.
    package static func isWanted(_ arguments: [String]) -> Bool {
        arguments.count == 2 && arguments[1] == PhotoWorkers.command
    }

    /// Reads photos until the agent is gone. To be called before there is any other thread.
    package static func run() -> Never {
        WorkerChannel.serve { bytes in
            guard let setup = WorkerSetup(bytes) else { return nil }
            PhotoReader.prepare()
            // What the first use of a coder loads, it loads now.
            _ = ReadingReply.failed(.empty).bytes
            return (
                setup.limits, setup.isContained,
                { photo in
                    do throws(ImagingError) {
                        let reading = try setup.reader.read(photo)
                        let isRemarkable = setup.describesAll || !reading.description.notes.isEmpty
                        let reply = isRemarkable ? ReadingReply.read(reading.description) : .unremarkable
                        return WorkerChannel.Answer(message: reply.bytes, output: reading.pixels)
                    } catch {
                        return WorkerChannel.Answer(message: ReadingReply.failed(error).bytes, output: [])
                    }
                }
            )
        }
    }
}
