import Foundation
import Imaging
import PhotoReading
import Products
import Sandbox
import Synchronization

// How many photos are read in a second, to the picture that the default model sees: by one thread a core in this process, and
// by worker processes. Scripts/bench_reading.py calls it beside Pillow and prints both.
//
//   usage: ReadingBenchmark AGENT SECONDS inProcess|workers PHOTO

let arguments = CommandLine.arguments
guard arguments.count == 5, let seconds = Double(arguments[2]),
    let data = FileManager.default.contents(atPath: arguments[4])
else {
    FileHandle.standardError.write(
        Data("usage: ReadingBenchmark AGENT SECONDS inProcess|workers PHOTO\n".utf8))
    exit(64)
}
let bytes = Array(data)
let threads = ProcessInfo.processInfo.activeProcessorCount
let reader = PhotoReader(
    shape: PictureShape(width: 224, height: 224, fit: .crop(shortSide: 256), filter: .bicubic),
    limits: PhotoReader.Limits(fileBytes: 1 << 30, pixels: 100_000_000))
let workers = PhotoWorkers(
    executable: arguments[1], reader: reader, count: threads * 2,
    limits: WorkerLimits(memoryBytes: 2 << 30, timeoutSeconds: 60), isContained: true)
let isInProcess = arguments[3] == "inProcess"

@Sendable func read() {
    if isInProcess, (try? reader.read(bytes)) != nil { return }
    if !isInProcess, case .success? = try? workers.read(bytes) { return }
    FileHandle.standardError.write(Data("\(arguments[4]) was not read\n".utf8))
    exit(65)
}

/// As the agent has it: twice as many threads as cores, so that each core has something to do while others hand over.
let lanes = threads * 2
let count = Atomic(0)
let isOver = Atomic(false)
let done = DispatchGroup()
for _ in 0..<lanes {
    done.enter()
    Thread.detachNewThread {
        while !isOver.load(ordering: .relaxed) {
            read()
            count.add(1, ordering: .relaxed)
        }
        done.leave()
    }
}
// Every worker has been started, and every page touched, before time is taken.
while count.load(ordering: .relaxed) < lanes * 2 { usleep(1000) }
let (start, before) = (ContinuousClock.now, count.load(ordering: .relaxed))
usleep(UInt32(seconds * 1e6))
let (end, after) = (ContinuousClock.now, count.load(ordering: .relaxed))
isOver.store(true, ordering: .relaxed)
done.wait()
print(Double(after - before) / (end - start).seconds)
