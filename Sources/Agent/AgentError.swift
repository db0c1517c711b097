import Catalogue
import Embedding
import Foundation
import Publishing
import Sandbox
import Settings
import Watching

/// What stops a whole run. What is wrong with one photo is in the report instead.
package enum AgentError: Error, CustomStringConvertible {
    case settings(SettingsError)
    case folder(FolderScanError)
    case catalogue(CatalogueError)
    case model(ModelError)
    case publishing(PublishingError)
    case sandbox(SandboxError)
    /// Another process works on the same state folder.
    case busy(stateFolder: String)
    case cannotLock(file: String, reason: String)
    /// Root would leave files behind that their owner cannot change; others may not change anything.
    case notOwner(stateFolder: String, owner: String)
    /// No such product or photo.
    case unknownProduct(String)
    case unreadablePhoto(path: String, reason: String)
    case nothingYet(stateFolder: String)
    case noTable(file: String, remedy: String)
    case badTable(file: String, reason: String)
    /// The disk that a table is on does not answer, or nobody can ask it.
    case tableNotReached(file: String, FileWorkerFailure)
    case nothingToEvaluate(reason: String)
    /// What is to be a model cannot be one.
    case badModel(reason: String)
    /// Photos that cannot be read now have no vector of the new model.
    case modelIncomplete(photos: Int, first: String)
    /// The model that the settings name could not take over; the one in service goes on.
    case changeFailed(reason: String)
    /// The output folder has files of products that this catalogue does not know and that have no photo.
    case outputOfOthers(folder: String, missing: Int, products: Int)
    case cannotWrite(file: String, reason: String)
    /// What systemd opened to the service when it started is not what the path leads to now.
    case outputLost(folder: String)
    /// The service is stopping; what was not finished is done at the next start.
    case stopped
    case cannotServe(socket: String, reason: String)
    /// Signals cannot be taken.
    case noPipe(errno: Int32)
    case cannotConnect(socket: String, reason: String)
    /// One is running and gives no sign of life.
    case noAnswer(socket: String, seconds: Double)
    /// What the running agent answered.
    case remote(message: String, SystemExit)

    package var description: String {
        switch self {
        case .settings(let error): error.description
        case .folder(let error): error.description
        case .catalogue(let error): error.description
        case .model(let error): error.description
        case .publishing(let error): error.description
        case .sandbox(let error): error.description
        case .busy(let stateFolder):
            "another imgrec-agent is working on \(stateFolder). Wait until it has finished, or stop it, then run this again."
        case .cannotLock(let file, let reason):
            "the lock \(file) cannot be taken: \(reason)"
        case .notOwner(let stateFolder, let owner):
            "\(stateFolder) belongs to the user \(owner). Run this as that user: sudo -u \(owner) imgrec-agent ..."
        case .unknownProduct(let name):
            "there is no product, photo or file \"\(name)\". Name a product (dress/dress-001), a photo in the image folder (dress/dress-001.jpg) or any image file."
        case .unreadablePhoto(let path, let reason):
            "\(path): \(reason)"
        case .nothingYet(let stateFolder):
            "there is no catalogue in \(stateFolder) yet. Run 'imgrec-agent reconcile' first."
        case .badModel(let reason): reason
        case .noTable(let file, let remedy):
            "there is no file \(file) that can be read. \(remedy)"
        case .badTable(let file, let reason):
            "\(file) is no table that can be used: \(reason)"
        case .tableNotReached(let file, .silent(let seconds)):
            "\(file) cannot be reached: it could not be looked at, or not be read whole, in \(seconds) s (output.attributes_timeout_seconds). Is its disk mounted, and its server there and fast enough?"
        case .tableNotReached(let file, .lost):
            "\(file) cannot be reached: the process that looks at it ended"
        case .tableNotReached(let file, .failed(let number)):
            "\(file) cannot be reached: \(String(cString: strerror(number))). Is its disk mounted, and its server there?"
        case .tableNotReached(let file, .cannotStart(let number)):
            "\(file) cannot be reached: no process can be started to look at it: \(String(cString: strerror(number)))"
        case .nothingToEvaluate(let reason):
            "there is nothing to evaluate: \(reason)"
        case .modelIncomplete(let photos, let first):
            "\(photos) photos have no vector of the new model, the first is \(first). Make them readable, or put them back; to leave them out: imgrec-agent reconcile --allow-mass-removal"
        case .changeFailed(let reason):
            "the change to the model of the settings failed, and the one in service goes on: \(reason)"
        case .outputOfOthers(let folder, let missing, let products):
            "\(folder) has files of \(products) products that this catalogue does not know, and \(missing) of them have no photo, so nothing was published. If the photos are not where they should be (not mounted?), mend that; if the output folder is another shop's, correct output.folder; if these files are meant to go: imgrec-agent reconcile --allow-mass-removal"
        case .cannotWrite(let file, let reason):
            "\(file) cannot be written: \(reason)"
        case .outputLost(let folder):
            "\(folder) cannot be written any more: it was replaced by another folder, which systemd opens to the service when that is started again"
        case .stopped:
            "the agent was stopped before this was finished; it goes on at the next start"
        case .cannotServe(let socket, let reason):
            "the control socket \(socket) cannot be opened: \(reason). Correct runtime.folder."
        case .noPipe(let number):
            "no pipe can be opened for signals: \(String(cString: strerror(number)))"
        case .cannotConnect(let socket, let reason):
            "the running agent cannot be reached at \(socket): \(reason)"
        case .noAnswer(let socket, let seconds):
            "the running agent gave no sign of life at \(socket) for \(String(format: "%g", seconds)) s (runtime.timeout_seconds): it is stopped, hangs, or the machine is very busy. If it stays so, start it again"
        case .remote(let message, _):
            message
        }
    }
}

/// Runs a body whose errors are those of the rooms, and names the room.
func inRooms<Value>(_ body: () throws -> Value) throws(AgentError) -> Value {
    do {
        return try body()
    } catch let error as AgentError {
        throw error
    } catch let error as SettingsError {
        throw .settings(error)
    } catch let error as FolderScanError {
        throw .folder(error)
    } catch let error as CatalogueError {
        throw .catalogue(error)
    } catch let error as ModelError {
        throw .model(error)
    } catch let error as PublishingError {
        throw .publishing(error)
    } catch let error as SandboxError {
        throw .sandbox(error)
    } catch {
        preconditionFailure("a room threw an error that is not its own: \(error)")
    }
}
