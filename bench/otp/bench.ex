# The same workloads on Erlang/OTP, in Elixir. `elixir -pa FOLDER -e 'Bench.main()' SECTION`, compiled by `elixirc`.
#
# One line per figure, `metric <tab> wall <tab> cpu`: nanoseconds per operation, bytes or percent.

defmodule Counter do
  use GenServer

  def start_link(n), do: GenServer.start_link(__MODULE__, n)

  @impl true
  def init(n), do: {:ok, n}

  @impl true
  def handle_call(:increment, _from, n), do: {:reply, n + 1, n + 1}
  def handle_call(:increment_and_hibernate, _from, n), do: {:reply, n + 1, n + 1, :hibernate}

  @impl true
  def handle_cast(:increment, n), do: {:noreply, n + 1}
  def handle_cast({:hold, owner}, n) do
    send(owner, :held)
    receive do
      :release -> {:noreply, n}
    end
  end
end

# The companion as a process: what a server writes to it is still there when the server is not.
defmodule Stash do
  use GenServer

  def start_link(n), do: GenServer.start_link(__MODULE__, n, name: __MODULE__)

  @impl true
  def init(n), do: {:ok, n}

  @impl true
  def handle_call(:get, _from, n), do: {:reply, n, n}
  def handle_call({:set, n}, _from, _), do: {:reply, :ok, n}

end

# A counter that conserves its state on every message.
defmodule Conserving do
  use GenServer

  def start_link(how), do: GenServer.start_link(__MODULE__, how)

  @impl true
  def init(how), do: {:ok, {how, 0}}

  @impl true
  def handle_call(:increment, _from, {how, n}) do
    conserve(how, n + 1)
    {:reply, n + 1, {how, n + 1}}
  end

  defp conserve(:ets, n), do: :ets.insert(:states, {:counter, n})
  defp conserve(:stash, n), do: :ok = GenServer.call(Stash, {:set, n})
end

# The pattern itself: state saved in terminate, restored in init.
defmodule Phoenix do
  use GenServer

  def start_link(owner), do: GenServer.start_link(__MODULE__, owner, name: __MODULE__)

  @impl true
  def init(owner) do
    n = GenServer.call(Stash, :get)
    send(owner, :up)
    {:ok, n}
  end

  @impl true
  def handle_call(:increment, _from, n), do: {:reply, n + 1, n + 1}
  def handle_call(:crash, _from, _n), do: raise("boom")

  @impl true
  def terminate(_reason, n), do: GenServer.call(Stash, {:set, n})
end

defmodule Bench do
  def main do
    # Crash reports are not what is measured, on either side.
    :logger.set_primary_config(:level, :none)
    [section] = System.argv()
    run(section)
  end

  defp run("call-plain"), do: call("call.plain")
  defp run("call-fn"), do: call("call.fn")

  defp run("busy") do
    {:ok, server} = Counter.start_link(0)
    timed("busy", 300_000, fn n -> repeat(n, fn ->
      GenServer.cast(server, :increment)
      GenServer.call(server, :increment)
    end) end)
  end

  defp run("fan-one") do
    {:ok, server} = Counter.start_link(0)
    timed("fan.one", 1_000_000, fn n -> clients(n, fn _ -> server end) end)
  end

  defp run("fan-many") do
    servers = for i <- 0..99, into: %{}, do: {i, elem(Counter.start_link(0), 1)}
    timed("fan.many", 1_000_000, fn n -> clients(n, fn i -> servers[i] end) end)
  end

  defp run("cast") do
    {:ok, server} = Counter.start_link(0)
    timed("cast", 1_000_000, fn n ->
      repeat(n, fn -> GenServer.cast(server, :increment) end)
      GenServer.call(server, :increment)
    end)
  end

  defp run("start") do
    n = scaled(100_000)
    for _ <- 1..2, do: reap(elem(start_many(div(n, 4)), 2))
    before = settled_memory()
    {wall, cpu, sup} = start_many(n)
    report("start", wall / n, cpu / n)
    :erlang.garbage_collect(sup)
    report("memory.new", (settled_memory() - before) / n)
    for count <- 1..2, do: call_children(sup, count)
    :erlang.garbage_collect(sup)
    report("memory.used", (settled_memory() - before) / n)
    reap(sup)

    n = scaled(20_000)
    {_, _, sup} = start_many(n)
    {wall, cpu, _} = cost(fn -> DynamicSupervisor.stop(sup, :normal, :infinity) end)
    report("stop", wall / n, cpu / n)
  end

  defp run("crash-die"), do: crash("crash.die")
  defp run("crash-error"), do: crash("crash.error")

  # Names in a Registry; a server that is called by its name.
  defp run("keyed") do
    {:ok, _} = Registry.start_link(keys: :unique, name: Keys)
    n = 10_000
    start_keyed(n)
    timed("keyed.at", 1_000_000, fn count -> repeat_with(count, fn i ->
      [{_, _}] = Registry.lookup(Keys, key_of(rem(i, n)))
    end) end)
    timed("keyed.call", 1_000_000, fn count -> repeat_with(count, fn i ->
      GenServer.call({:via, Registry, {Keys, key_of(rem(i, n))}}, :increment)
    end) end)
  end

  # What hibernation leaves of a server: its state stays in memory.
  defp run("keyed-million") do
    {:ok, _} = Registry.start_link(keys: :unique, name: Keys)
    n = scaled(100_000)
    before = settled_memory()
    start_keyed(n)
    repeat_with(n, fn i -> GenServer.call({:via, Registry, {Keys, key_of(i - 1)}}, :increment_and_hibernate) end)
    report("keyed.memory", (settled_memory() - before) / n)
  end

  defp run("conserve") do
    :ets.new(:states, [:named_table, :public, :set])
    {:ok, _} = Stash.start_link(0)
    {:ok, plain} = Counter.start_link(0)
    servers = for how <- [:ets, :stash], do: {how, elem(Conserving.start_link(how), 1)}
    n = scaled(100_000)
    # In turns, so that what slows one slows the other; the first two passes are not counted.
    costs = for pass <- 1..12, {how, server} <- [{:none, plain} | servers], reduce: %{} do
      acc ->
        {wall, cpu, _} = cost(fn -> repeat(n, fn -> GenServer.call(server, :increment) end) end)
        if pass <= 2, do: acc, else: Map.update(acc, how, [{wall, cpu}], &[{wall, cpu} | &1])
    end
    {base_wall, base_cpu} = summary(costs.none)
    for {metric, how} <- [{"conserve.memory", :stash}, {"conserve.table", :ets}] do
      {wall, cpu} = summary(costs[how])
      report(metric, (wall / base_wall - 1) * 100, (cpu / base_cpu - 1) * 100)
    end
  end

  defp run("mailbox") do
    {:ok, server} = Counter.start_link(0)
    bursts = fn n -> for _ <- 1..n, do: burst(server, 1_000) end
    warm_up(scaled(1_000), bursts)
    {wall, cpu} = summary(bursts.(scaled(1_000)))
    report("mailbox.short", wall / 1_000, cpu / 1_000)
    n = scaled(1_000_000)
    :erlang.garbage_collect(server)
    before = settled_memory()
    {wall, cpu} = burst(server, n)
    report("mailbox.long", wall / n, cpu / n)
    :erlang.garbage_collect(server)
    report("mailbox.kept", max(0, settled_memory() - before) / n)
  end

  defp run("mailbox-call") do
    {:ok, server} = Counter.start_link(0)
    short = fn passes -> Enum.flat_map(1..passes, fn _ -> sending(server, 1_000, 1) end) end
    warm_up(100, short)
    {wall, cpu} = summary(short.(100))
    report("mailbox.call.short", wall / 1_000, cpu / 1_000)
    {wall, cpu} = summary(sending(server, scaled(1_000_000), 100))
    report("mailbox.call.long", wall / 1_000, cpu / 1_000)
  end

  defp call(metric) do
    {:ok, server} = Counter.start_link(0)
    timed(metric, 1_000_000, fn n -> repeat(n, fn -> GenServer.call(server, :increment) end) end)
  end

  # A supervisor keeps its restarts in a list that it walks at every restart: batches of a hundred crashes, each under a
  # fresh supervisor, keep that out of the figure.
  defp crash(metric) do
    {:ok, _} = Stash.start_link(0)
    batches = fn n -> for _ <- 1..n, do: crash_batch() end
    n = scaled(1_000)
    warm_up(n, batches)
    {walls, cpus} = Enum.unzip(batches.(n))
    report(metric, Enum.sum(walls) / n / 100, Enum.sum(cpus) / n / 100)
  end

  defp crash_batch do
    {:ok, sup} = Supervisor.start_link([%{id: :server, start: {Phoenix, :start_link, [self()]}}],
      strategy: :one_for_one, max_restarts: 1_000, max_seconds: 5)
    receive do :up -> :ok end
    before = GenServer.call(Phoenix, :increment)
    {wall, cpu, _} = cost(fn -> repeat(100, fn ->
      try do
        GenServer.call(Phoenix, :crash)
      catch
        :exit, _ -> :ok
      end
      receive do :up -> :ok end
      GenServer.call(Phoenix, :increment)
    end) end)
    after_all = GenServer.call(Phoenix, :increment)
    if after_all != before + 101, do: raise("state lost")
    Supervisor.stop(sup)
    {wall, cpu}
  end

  # Messages sent while the server is held; the time from its release until they are handled.
  defp burst(server, n) do
    GenServer.cast(server, {:hold, self()})
    receive do :held -> :ok end
    repeat(n, fn -> GenServer.cast(server, :increment) end)
    {wall, cpu, _} = cost(fn ->
      send(server, :release)
      GenServer.call(server, :increment, :infinity)
    end)
    {wall, cpu}
  end

  # The sending half of a call, in passes of a thousand, while so many casts and the calls before it wait. The server is
  # suspended: waiting in a `receive` it would look at every message that comes, and that would count.
  defp sending(server, waiting, passes) do
    :erlang.suspend_process(server)
    repeat(waiting, fn -> GenServer.cast(server, :increment) end)
    all = for _ <- 1..passes do
      cost(fn -> for _ <- 1..1_000, do: :gen_server.send_request(server, :increment) end)
    end
    :erlang.resume_process(server)
    requests = Enum.flat_map(all, &elem(&1, 2))
    answers = for request <- requests do
      {:reply, n} = :gen_server.receive_response(request, :infinity)
      n
    end
    first = hd(answers)
    if answers != Enum.to_list(first..(first + length(answers) - 1)), do: raise("an answer is missing")
    for {wall, cpu, _} <- all, do: {wall, cpu}
  end

  defp start_many(n) do
    {:ok, sup} = DynamicSupervisor.start_link(strategy: :one_for_one)
    spec = %{id: Counter, start: {Counter, :start_link, [0]}, restart: :permanent}
    {wall, cpu, _} = cost(fn -> repeat(n, fn -> {:ok, _} = DynamicSupervisor.start_child(sup, spec) end) end)
    {wall, cpu, sup}
  end

  # Nobody keeps the list of the children: it would count as theirs.
  defp call_children(sup, count) do
    for {_, server, _, _} <- DynamicSupervisor.which_children(sup) do
      if GenServer.call(server, :increment) != count, do: raise("a server did not count")
    end
    :ok
  end

  defp settled_memory do
    :erlang.garbage_collect()
    Process.sleep(300)
    :erlang.memory(:total)
  end

  defp key_of(i), do: "counter-#{i}"

  defp start_keyed(n) do
    for i <- 0..(n - 1) do
      {:ok, _} = GenServer.start_link(Counter, 0, name: {:via, Registry, {Keys, key_of(i)}})
    end
    :ok
  end

  defp repeat_with(0, _), do: :ok
  defp repeat_with(n, f) do
    f.(n)
    repeat_with(n - 1, f)
  end

  defp repeat(0, _), do: :ok
  defp repeat(n, f) do
    f.()
    repeat(n - 1, f)
  end

  defp clients(n, server_of) do
    me = self()
    for i <- 0..99 do
      server = server_of.(i)
      spawn_link(fn ->
        repeat(div(n, 100), fn -> GenServer.call(server, :increment) end)
        send(me, :done)
      end)
    end
    for _ <- 0..99, do: (receive do :done -> :ok end)
  end

  # Not the supervisor's own stop: it takes minutes at this size. Links reap the children.
  defp reap(sup) do
    Process.unlink(sup)
    Process.exit(sup, :kill)
    Process.sleep(500)
  end

  defp timed(metric, count, work) do
    n = scaled(count)
    warm_up(n, work)
    {wall, cpu, _} = cost(fn -> work.(n) end)
    report(metric, wall / n, cpu / n)
  end

  # Two passes over a quarter of the work, before the one that counts.
  defp warm_up(n, work) do
    for _ <- 1..2, do: work.(div(n, 4))
    :erlang.garbage_collect()
  end

  defp cost(work) do
    cpu = cpu_time()
    wall = :erlang.monotonic_time(:nanosecond)
    result = work.()
    {:erlang.monotonic_time(:nanosecond) - wall, cpu_time() - cpu, result}
  end

  defp cpu_time, do: elem(:erlang.statistics(:runtime), 0) * 1_000_000

  defp decimal(x), do: :erlang.float_to_binary(x * 1.0, decimals: 2)

  defp median(list) do
    sorted = Enum.sort(list)
    n = length(list)
    (Enum.at(sorted, div(n - 1, 2)) + Enum.at(sorted, div(n, 2))) / 2
  end

  # One figure out of many passes: the median of wall time; the mean of CPU time, which is counted in milliseconds.
  defp summary(costs) do
    {walls, cpus} = Enum.unzip(costs)
    {median(walls), Enum.sum(cpus) / length(cpus)}
  end

  defp scaled(n), do: if(System.get_env("BENCH_QUICK") == "1", do: max(100, div(n, 20)), else: n)

  # Bytes have no CPU time.
  defp report(metric, bytes), do: IO.puts("#{metric}\t#{decimal(bytes)}")
  defp report(metric, wall, cpu), do: IO.puts("#{metric}\t#{decimal(wall)}\t#{decimal(cpu)}")
end
