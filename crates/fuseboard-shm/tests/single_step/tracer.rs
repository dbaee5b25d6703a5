//! A forked child that is led through an operation instruction by instruction.
//!
//! The child stops itself right before the operation and right after it ([`Child::fork`]). In between its parent takes
//! single steps. One step is one instruction: a system call is one, and so are all rounds of a repeated string instruction.
//!
//! Only the thread that forked a child may lead it, so a [`Child`] does not leave its thread.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{null_mut, without_provenance_mut};

use libc::{c_int, c_long, c_void, pid_t};

#[cfg(target_env = "musl")]
type Request = c_int;
#[cfg(not(target_env = "musl"))]
type Request = libc::c_uint;

/// More steps than any operation has, in any profile: a child that takes more will never come to its end. (So it is
/// where an aarch64 processor has no atomics but load-and-reserve loops, which no single-stepped program ever leaves.)
pub const STEPS_MAX: usize = 1_000_000;
/// More rounds than any repeated instruction has.
const ROUNDS_MAX: usize = 1 << 20;
/// Exit status of a child that may not be traced.
const REFUSED: c_int = 77;
/// Exit status of a child whose operation panicked.
const PANICKED: c_int = 101;
/// The general registers, as `ptrace` names them.
const NT_PRSTATUS: usize = 1;
/// The instruction that stops the child, in the low bits of a word of the program: `int3`, `brk #0`.
const TRAP: c_long = if cfg!(target_arch = "x86_64") { 0xcc } else { 0xd420_0000 };
const TRAP_MASK: c_long = if cfg!(target_arch = "x86_64") { 0xff } else { 0xffff_ffff };

/// Where a child stands after it was led on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// In the middle of the operation.
    Within,
    /// Behind the operation.
    Behind,
}

/// A stopped child. Killed and reaped when it is dropped.
pub struct Child {
    pid: pid_t,
    /// `ptrace` obeys the thread that forked, no other.
    _of_this_thread: PhantomData<*const ()>,
}

impl Child {
    /// Forks a child that prepares something, stops, runs the operation and stops again. Both parts may only do what is
    /// allowed after fork from a process with threads.
    pub fn fork<T>(prepare: impl FnOnce() -> T, operation: impl FnOnce(T)) -> Self {
        Self::try_fork(prepare, operation).expect("children can be traced here")
    }

    fn try_fork<T>(prepare: impl FnOnce() -> T, operation: impl FnOnce(T)) -> Result<Self, String> {
        // SAFETY: the child goes on in `be_child`, which never returns, and does there what its caller vouches for.
        match unsafe { libc::fork() } {
            -1 => Err(format!("fork: {}", std::io::Error::last_os_error())),
            0 => be_child(prepare, operation),
            pid => Self { pid, _of_this_thread: PhantomData }.at_first_stop(),
        }
    }

    fn at_first_stop(self) -> Result<Self, String> {
        let status = self.wait();
        if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == REFUSED {
            return Err("a child may not be traced".to_owned());
        }
        assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGSTOP, "ended: status {status:#x}");
        self.ptrace(libc::PTRACE_SETOPTIONS, null_mut(), without_provenance_mut(libc::PTRACE_O_EXITKILL as usize))?;
        Ok(self)
    }

    /// Takes one step.
    pub fn step(&self) -> Stop {
        let from = self.address();
        for _ in 0..ROUNDS_MAX {
            if self.resume(libc::PTRACE_SINGLESTEP) == Stop::Behind {
                return Stop::Behind;
            }
            if self.address() != from {
                return Stop::Within;
            }
        }
        panic!("an instruction without an end");
    }

    /// Takes `steps` steps, fewer if the operation is over before.
    pub fn take_steps(&self, steps: usize) -> Stop {
        if (0..steps).any(|_| self.step() == Stop::Behind) { Stop::Behind } else { Stop::Within }
    }

    /// Leads the child at full speed to where it comes to the instruction at `address` for the `times`th time from here;
    /// the instruction is the next to run. Needs one step for each time but the last.
    pub fn run_to(&self, address: usize, times: usize) -> Stop {
        for time in 1..=times {
            let instruction = self.peek(address);
            self.poke(address, instruction & !TRAP_MASK | TRAP);
            let stop = self.resume(libc::PTRACE_CONT);
            self.poke(address, instruction);
            if stop == Stop::Behind {
                return stop;
            }
            self.go_back_to(address);
            if time < times && self.step() == Stop::Behind {
                return Stop::Behind;
            }
        }
        Stop::Within
    }

    /// Where the next instruction lies.
    pub fn address(&self) -> usize {
        self.registers().pc()
    }

    /// Puts the child back before the trap it ran into.
    fn go_back_to(&self, address: usize) {
        let mut registers = self.registers();
        registers.set_pc(address);
        self.registers_request(libc::PTRACE_SETREGSET, &mut registers);
    }

    fn registers(&self) -> Registers {
        let mut registers = Registers::zeroes();
        self.registers_request(libc::PTRACE_GETREGSET, &mut registers);
        registers
    }

    fn registers_request(&self, request: Request, registers: &mut Registers) {
        let mut buffer = libc::iovec { iov_base: (&raw mut registers.0).cast(), iov_len: size_of::<Registers>() };
        let kind = without_provenance_mut(NT_PRSTATUS);
        self.ptrace(request, kind, (&raw mut buffer).cast()).expect("a stopped child's registers");
    }

    fn peek(&self, address: usize) -> c_long {
        let word = self.ptrace(libc::PTRACE_PEEKTEXT, without_provenance_mut(address), null_mut());
        word.expect("an instruction that the child runs")
    }

    /// Writes to the child's own copy of the program.
    fn poke(&self, address: usize, word: c_long) {
        let word = without_provenance_mut(word.cast_unsigned() as usize);
        self.ptrace(libc::PTRACE_POKETEXT, without_provenance_mut(address), word).expect("a program of its own");
    }

    /// Kills the child where it stands. Once this returns it is reaped, so its death is certain to everybody.
    pub fn kill(self) {}

    fn resume(&self, how: Request) -> Stop {
        self.ptrace(how, null_mut(), null_mut()).expect("a stopped child goes on");
        let status = self.wait();
        assert!(libc::WIFSTOPPED(status), "the child ended within the operation: status {status:#x}");
        match libc::WSTOPSIG(status) {
            libc::SIGTRAP => Stop::Within,
            libc::SIGSTOP => Stop::Behind,
            signal => panic!("the child got signal {signal} within the operation"),
        }
    }

    fn ptrace(&self, request: Request, address: *mut c_void, data: *mut c_void) -> Result<c_long, String> {
        // SAFETY: the errno of this thread is always there to be written.
        unsafe { *libc::__errno_location() = 0 };
        // SAFETY: the requests made here write to nothing of ours but the buffer that `address` describes.
        let answer = unsafe { libc::ptrace(request, self.pid, address, data) };
        let error = std::io::Error::last_os_error();
        // Any number may be a peeked word, so errno alone tells.
        if answer == -1 && error.raw_os_error() != Some(0) { Err(format!("ptrace: {error}")) } else { Ok(answer) }
    }

    fn wait(&self) -> c_int {
        let mut status = 0;
        // SAFETY: `status` outlives the call, and the pid is that of a child nobody else waits for.
        let waited = unsafe { libc::waitpid(self.pid, &raw mut status, libc::__WALL) };
        assert_eq!(self.pid, waited, "waitpid: {}", std::io::Error::last_os_error());
        status
    }
}

/// The general registers of a stopped child.
struct Registers(libc::user_regs_struct);

impl Registers {
    fn zeroes() -> Self {
        // SAFETY: plain numbers, for which zeroes are valid.
        Self(unsafe { MaybeUninit::zeroed().assume_init() })
    }

    #[cfg(target_arch = "x86_64")]
    fn pc(&self) -> usize {
        self.0.rip as usize
    }

    #[cfg(target_arch = "aarch64")]
    fn pc(&self) -> usize {
        self.0.pc as usize
    }

    #[cfg(target_arch = "x86_64")]
    fn set_pc(&mut self, address: usize) {
        self.0.rip = address as u64;
    }

    #[cfg(target_arch = "aarch64")]
    fn set_pc(&mut self, address: usize) {
        self.0.pc = address as u64;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let mut status = 0;
        // SAFETY: the pid is our child's and ours to reap. Where it has ended already both calls fail and change nothing.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            libc::waitpid(self.pid, &raw mut status, libc::__WALL);
        }
    }
}

fn be_child<T>(prepare: impl FnOnce() -> T, operation: impl FnOnce(T)) -> ! {
    let life = AssertUnwindSafe(|| {
        if !trace_me() {
            return REFUSED;
        }
        let prepared = prepare();
        stop();
        operation(prepared);
        stop();
        0
    });
    let status = catch_unwind(life).unwrap_or(PANICKED);
    // SAFETY: ends this process at once; nothing of the parent's is run or flushed.
    unsafe { libc::_exit(status) }
}

fn trace_me() -> bool {
    // SAFETY: takes no pointers; from now on the parent leads this process.
    unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, null_mut::<c_void>(), null_mut::<c_void>()) == 0 }
}

fn stop() {
    // SAFETY: no handler runs; the signal stops the process until its parent leads it on.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Whether children can be stepped here: `Err` says why not.
pub fn permitted() -> Result<(), String> {
    #[cfg(target_arch = "aarch64")]
    if !std::arch::is_aarch64_feature_detected!("lse") {
        return Err("this processor's atomics are loops that cannot be single-stepped (no LSE)".to_owned());
    }
    let child = Child::try_fork(|| (), |()| ())?;
    child.ptrace(libc::PTRACE_SINGLESTEP, null_mut(), null_mut())?;
    let status = child.wait();
    let stepped = libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGTRAP;
    if stepped { Ok(()) } else { Err(format!("a single step ended with status {status:#x}")) }
}

/// Keeps this thread and its children on one processor, which hands them over to each other faster.
pub fn stay_on_one_processor() {
    // SAFETY: an all-zero set is a valid empty one, `CPU_SET` is given a number within it, and it outlives the call.
    // A refusal leaves the thread where it is, only slower.
    unsafe {
        let mut set: libc::cpu_set_t = MaybeUninit::zeroed().assume_init();
        if let Ok(here) = usize::try_from(libc::sched_getcpu()) {
            libc::CPU_SET(here, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
        }
    }
}
