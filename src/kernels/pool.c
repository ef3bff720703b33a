#include "pool.h"

#include <math.h>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
typedef SRWLOCK lock_type;
typedef CONDITION_VARIABLE condition_type;
#define LOCK_INIT SRWLOCK_INIT
#define CONDITION_INIT CONDITION_VARIABLE_INIT
#define lock(l) AcquireSRWLockExclusive(l)
#define try_lock(l) TryAcquireSRWLockExclusive(l)
#define unlock(l) ReleaseSRWLockExclusive(l)
#define wait_for(c, l) SleepConditionVariableSRW(c, l, INFINITE, 0)
#define wake_all(c) WakeAllConditionVariable(c)
#define wake_one(c) WakeConditionVariable(c)
#else
#include <pthread.h>
#include <signal.h>
typedef pthread_mutex_t lock_type;
typedef pthread_cond_t condition_type;
#define LOCK_INIT PTHREAD_MUTEX_INITIALIZER
#define CONDITION_INIT PTHREAD_COND_INITIALIZER
#define lock(l) pthread_mutex_lock(l)
#define try_lock(l) (pthread_mutex_trylock(l) == 0)
#define unlock(l) pthread_mutex_unlock(l)
#define wait_for(c, l) pthread_cond_wait(c, l)
#define wake_all(c) pthread_cond_broadcast(c)
#define wake_one(c) pthread_cond_signal(c)
#endif

enum { MOST_WORKERS = 255 };

/* `user` is held by the plan that uses the workers; `guard` protects all below. */
static lock_type user = LOCK_INIT, guard = LOCK_INIT;
static condition_type work = CONDITION_INIT, done = CONDITION_INIT;
static int workers;
static const fb_instruction *job;
static char **job_slots;
static int64_t next_part, parts, unfinished;

/* Takes parts until none is left; `guard` is held before and after. */
static void take_parts(void)
{
    while (next_part < parts) {
        const fb_instruction *t = job + next_part++;
        char **slots = job_slots;
        double budget = INFINITY;
        unlock(&guard);
        fb_run(t, 0, 1, slots, &budget);
        lock(&guard);
        if (--unfinished == 0)
            wake_one(&done);
    }
}

static void serve(void)
{
    lock(&guard);
    for (;;) {
        take_parts();
        wait_for(&work, &guard);
    }
}

#ifdef _WIN32
static DWORD WINAPI begin(LPVOID nothing)
{
    (void)nothing;
    serve();
    return 0;
}

static int start(void)
{
    HANDLE thread = CreateThread(NULL, 0, begin, NULL, 0, NULL);
    if (thread == NULL)
        return 0;
    CloseHandle(thread);
    return 1;
}
#else
static void *begin(void *nothing)
{
    serve();
    return nothing;
}

/* A child of fork has none of the threads, and whatever they held is free again. */
static void in_child(void)
{
    static const lock_type fresh_lock = LOCK_INIT;
    static const condition_type fresh_condition = CONDITION_INIT;
    user = guard = fresh_lock;
    work = done = fresh_condition;
    workers = 0;
    next_part = parts = unfinished = 0;
}

static int start(void)
{
    static int is_prepared;
    sigset_t all, before;
    pthread_t thread;
    if (!is_prepared)
        is_prepared = pthread_atfork(NULL, NULL, in_child) == 0;
    sigfillset(&all); /* signals are for the interpreter's own threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&thread, NULL, begin, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed)
        pthread_detach(thread);
    return !failed;
}
#endif

void fb_run_parallel(const fb_instruction *code, int64_t count, char **slots)
{
    double budget = INFINITY;
    if (!try_lock(&user)) {
        fb_run(code, 0, count, slots, &budget);
        return;
    }
    lock(&guard);
    while (workers < count - 1 && workers < MOST_WORKERS && start())
        workers++;
    job = code;
    job_slots = slots;
    next_part = 0;
    parts = unfinished = count;
    wake_all(&work);
    take_parts();
    while (unfinished)
        wait_for(&done, &guard);
    unlock(&guard);
    unlock(&user);
}

int fb_workers(void)
{
    lock(&guard);
    const int n = workers;
    unlock(&guard);
    return n;
}
